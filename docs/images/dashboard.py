"""The dashboard's pictures in the documentation, taken by Chromium from a real run.

python docs/images/dashboard.py URL       a streampoll that runs: dashboard.png, -dark, -device and -phone
"""

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent))

from selenium import webdriver  # noqa: E402

from tests.dashboard_support import chromium  # noqa: E402

SETTLED_S = 9.0  # until the lines have something to show
DESK, PHONE = (1440, 1160), (390, 844)


def take(browser: webdriver.Chrome, url: str, name: str, theme: str, size: tuple[int, int], scale: float = 1) -> None:
    """Take one picture of a page as it stands at the top."""
    metrics: dict[str, Any] = {"width": size[0], "height": size[1], "deviceScaleFactor": scale, "mobile": size == PHONE}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": True})
    media = {"features": [{"name": "prefers-color-scheme", "value": theme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    browser.get("about:blank")
    browser.get(url)
    time.sleep(SETTLED_S)
    browser.save_screenshot(str(HERE / f"{name}.png"))


def main(url: str) -> None:
    """Take all pictures of the streampoll at a URL."""
    with tempfile.TemporaryDirectory() as profile, chromium(Path(profile)) as browser:
        take(browser, f"{url}#/", "dashboard", "light", DESK)
        take(browser, f"{url}#/", "dashboard-dark", "dark", DESK)
        device = browser.execute_async_script(DEVICE)
        take(browser, f"{url}#/devices/{device}", "dashboard-device", "light", (1440, 1790))
        take(browser, f"{url}#/", "dashboard-phone", "dark", PHONE, scale=2)


DEVICE = """
const done = arguments[0];
fetch('/api/v1/top?by=slow&limit=200').then((answer) => answer.json()).then(({devices}) => done(devices.at(-1).device));
"""

if __name__ == "__main__":
    main(sys.argv[1])
