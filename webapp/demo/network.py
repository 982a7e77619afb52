"""What deployed Actions may fetch: Websync's own address on this computer, and nothing else."""

import httpx2

from webapp.auth0.action_engine import Answerer, FetchAnswer, Fetched

TIMEOUT_SECONDS = 2.0
MAX_ANSWER_BYTES = 100_000


def answerer(websync_url: str) -> Answerer:
    """Return what answers an Action's ``fetch``: calls below ``websync_url``, each within `TIMEOUT_SECONDS`."""

    def answer(fetched: Fetched) -> FetchAnswer:
        if not fetched.url.startswith(f"{websync_url}/sync/"):
            return FetchAnswer(error_name="TypeError")
        try:
            response = httpx2.request(
                fetched.method,
                fetched.url,
                headers=dict(fetched.headers),
                content=fetched.body.encode("utf-8", "replace"),
                timeout=TIMEOUT_SECONDS,
                follow_redirects=False,
            )
        except httpx2.TimeoutException:
            return FetchAnswer(error_name="AbortError")
        except (httpx2.HTTPError, httpx2.InvalidURL, ValueError):
            return FetchAnswer(error_name="TypeError")
        return FetchAnswer(response.status_code, response.text[:MAX_ANSWER_BYTES])

    return answer
