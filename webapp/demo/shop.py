"""The demo shop: a site with products, a login and the code that Websync generated, loaded from it unchanged."""

import re
from dataclasses import dataclass

from flask import Flask, current_app, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from webapp.assets import STATIC, TEMPLATES
from webapp.demo.addresses import loopback_base
from webapp.demo.seed import API_AUDIENCE, SPA_CLIENT_ID

CATEGORIES = ("running", "hiking", "cycling")
GOAL_KEY = re.compile(r"[A-Za-z0-9_-]{6,64}")
GOAL_COOKIE = "demo_shop_goal"
GOAL_COOKIE_SECONDS = 30 * 86_400


@dataclass(frozen=True, slots=True)
class Product:
    """Something the shop shows. ``price`` is in euros, as text."""

    name: str
    category: str
    price: str


PRODUCTS = (
    Product("Trail shoe Fennel", "running", "129.00"),
    Product("Road shoe Whistle", "running", "94.50"),
    Product("Boot Basalt", "hiking", "189.00"),
    Product("Backpack Burrow 28", "hiking", "112.00"),
    Product("Gravel bike Gadwall", "cycling", "1,480.00"),
    Product("City bike Hazel", "cycling", "749.00"),
)


@dataclass(frozen=True, slots=True)
class ShopSettings:
    """Where the tenant and Websync are, and which goal's code the shop carries. Addresses have no slash at the end."""

    tenant_url: str
    websync_url: str
    goal_key: str | None
    client_id: str
    audience: str | None


def create_shop(
    tenant_url: str,
    websync_url: str,
    *,
    goal_key: str | None = None,
    client_id: str = SPA_CLIENT_ID,
    audience: str | None = API_AUDIENCE,
) -> Flask:
    """Return the shop as an application; whoever serves it binds to loopback only.

    ``goal_key`` is the goal of visitors who chose none by ``?goal=``. With ``audience`` the access token is a JWT for
    that API. Raises ValueError if an address isn't loopback or the key has another form than goal keys have.
    """
    if goal_key is not None and not GOAL_KEY.fullmatch(goal_key):
        raise ValueError(f"{goal_key!r} is no goal key")
    app = Flask(__name__, template_folder=str(TEMPLATES), static_folder=str(STATIC), static_url_path="/static")
    app.extensions["demo_shop"] = ShopSettings(
        loopback_base(tenant_url), loopback_base(websync_url), goal_key, client_id, audience
    )
    app.add_url_rule("/", view_func=show_shop)
    app.add_url_rule("/favicon.ico", view_func=show_icon)
    app.after_request(protect)
    return app


def show_shop() -> ResponseReturnValue:
    """Show the products, of one category or all. ``?goal=KEY`` chooses the goal and is remembered."""
    settings, chosen = _settings(), _chosen_goal()
    category = request.args.get("category", "")
    page = render_template(
        "demo/shop.html",
        settings={
            "domain": settings.tenant_url,
            "clientId": settings.client_id,
            "audience": settings.audience,
            "websyncUrl": settings.websync_url,
            "goalKey": chosen,
        },
        websync_url=settings.websync_url,
        goal_key=chosen,
        categories=CATEGORIES,
        category=category if category in CATEGORIES else "",
        products=[product for product in PRODUCTS if category not in CATEGORIES or product.category == category],
    )
    response = make_response(page)
    if chosen is not None and request.args.get("goal") == chosen:
        response.set_cookie(GOAL_COOKIE, chosen, max_age=GOAL_COOKIE_SECONDS, httponly=True, samesite="Lax")
    return response


def show_icon() -> ResponseReturnValue:
    """Send browsers to the icon."""
    return redirect(url_for("static", filename="demo/icon.svg"))


def protect(response: Response) -> Response:
    """Set the security headers: code and calls from here, the tenant and Websync, nothing inline."""
    tenant_url, websync_url = _settings().tenant_url, _settings().websync_url
    response.headers["Content-Security-Policy"] = (
        f"default-src 'none'; script-src 'self' {websync_url}; connect-src 'self' {tenant_url} {websync_url}; "
        f"frame-src {tenant_url}; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    )
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "strict-origin-when-cross-origin"
    return response


def _settings() -> ShopSettings:
    settings: ShopSettings = current_app.extensions["demo_shop"]
    return settings


def _chosen_goal() -> str | None:
    """Return the goal of the address, else the remembered one, else the default. What is no goal key is ignored."""
    for candidate in (request.args.get("goal"), request.cookies.get(GOAL_COOKIE)):
        if candidate is not None and GOAL_KEY.fullmatch(candidate):
            return candidate
    return _settings().goal_key
