"""After: the same tasks. An async function waits in the loop, a plain one in a thread or, as it computes, a process."""

from streampoll import Client, RetryLater, call, task


@task(name="reports.fetch", retries=3, back_off_s=10, soft_limit_s=30)
async def fetch(site: str) -> dict[str, object]:
    """Ask a site for its devices."""
    try:
        return {"site": site, "devices": len(site)}
    except OSError as error:
        raise RetryLater(10) from error


@task(name="reports.render", run_in="process", soft_limit_s=30, hard_limit_s=40)
def render(fetched: dict[str, object]) -> str:
    """Make a page of it."""
    return f"{fetched['site']}: {fetched['devices']} devices"


@task(name="reports.publish")
def publish(pages: list[str]) -> str:
    """Put the pages together."""
    return "\n".join(pages)


@task(name="reports.nightly", results=False)
async def nightly(sites: list[str]) -> None:
    """Make the report of all sites."""
    async with Client() as client:
        await client.chord([(call(fetch, site), call(render)) for site in sites], call(publish))
