"""Tells a content delivery network which addresses changed, so that readers need not wait for its copies to grow old.

It is a courtesy: the copies are short-lived anyway (`s-maxage`), so a purge that fails is logged and nothing else happens.
"""

import logging
import time
from collections.abc import Sequence

import httpx

from aquascene.adapters import published, settings

log = logging.getLogger(__name__)

_AT_ONCE = 30  # what Cloudflare takes in one request, and nobody takes less
_TRIES = 3
_PAUSE_SECONDS = 1.0
_MARGIN_SECONDS = 0.5
_TIMEOUT = httpx.Timeout(10.0, connect=3.0)


def purge(paths: Sequence[str]) -> bool:
    """Tell the paths of the public site that changed or went; False when some of it was not taken. Never raises.

    Every web process looks at the site's pointer once in a second, so that is waited for: the network would else fetch
    the old page again from one that has not looked yet.
    """
    now = settings.current()
    if now.cdn.purge_url is None or not paths:
        return True
    time.sleep(published.LOOK_AGAIN_SECONDS + _MARGIN_SECONDS)
    urls = [now.publishing.site_url.rstrip("/") + path for path in paths]
    headers = {"Authorization": f"Bearer {now.cdn.purge_token.get_secret_value()}"} if now.cdn.purge_token else {}
    with httpx.Client(headers=headers, timeout=_TIMEOUT) as client:
        done = all(_told(client, now.cdn.purge_url, urls[start : start + _AT_ONCE]) for start in range(0, len(urls), _AT_ONCE))
    log.log(logging.INFO if done else logging.WARNING, "cdn_purged urls=%d complete=%s", len(urls), done)
    return done


def _told(client: httpx.Client, endpoint: str, urls: list[str]) -> bool:
    for pause in [_PAUSE_SECONDS] * (_TRIES - 1) + [0.0]:
        try:
            answer = client.post(endpoint, json={"files": urls})
        except (httpx.HTTPError, httpx.InvalidURL) as exc:
            log.warning("cdn_unreachable error=%s", type(exc).__name__)
        else:
            if answer.is_success:
                return True
            log.warning("cdn_refused status=%d", answer.status_code)
            if answer.status_code < 500 and answer.status_code != 429:
                return False
        time.sleep(pause)
    return False
