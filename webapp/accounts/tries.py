"""How often somebody may try a password or a link: guessing has to be slow. Counted in each process."""

from flask_limiter import Limiter
from flask_limiter.util import get_remote_address

TRIES = "10 per 5 minutes"
TOO_MANY = "Too many tries from your address. Wait a few minutes, then try again."

limiter = Limiter(get_remote_address, storage_uri="memory://", strategy="moving-window", headers_enabled=True)
limit_tries = limiter.shared_limit(TRIES, scope="sign-in", methods=["POST"], error_message=TOO_MANY)
