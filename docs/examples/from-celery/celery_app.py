"""Before: the Celery app that docs/from-celery.md moves. Nothing runs it any more."""

from celery import Celery, chain, chord
from celery.schedules import crontab

app = Celery("reports", broker="redis://", backend="redis://")
app.conf.update(
    task_acks_late=True,
    task_soft_time_limit=30,
    task_routes={"reports.render": {"queue": "cpu"}},
    beat_schedule={"nightly": {"task": "reports.nightly", "schedule": crontab(hour=3), "args": [["berlin", "oslo"]]}},
)


@app.task(name="reports.fetch", bind=True, max_retries=3)
def fetch(self, site):
    try:
        return {"site": site, "devices": len(site)}
    except OSError as error:
        raise self.retry(exc=error, countdown=10) from error


@app.task(name="reports.render")
def render(fetched):
    return f"{fetched['site']}: {fetched['devices']} devices"


@app.task(name="reports.publish")
def publish(pages):
    return "\n".join(pages)


@app.task(name="reports.nightly", ignore_result=True)
def nightly(sites):
    chord([chain(fetch.s(site), render.s()) for site in sites])(publish.s())


if __name__ == "__main__":
    fetch.apply_async(("berlin",), countdown=10, expires=300)
    print(chain(fetch.s("berlin"), render.s()).apply_async().get(timeout=20))
