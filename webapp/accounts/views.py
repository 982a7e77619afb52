"""Pages of accounts: sign in, sign out, one-time links, the admin's own account."""

from datetime import UTC, datetime
from http import HTTPStatus

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm

from webapp.accounts.forms import FirstAdminForm, PasswordForm, SignInForm
from webapp.accounts.guard import public
from webapp.accounts.links import look_at_link, use_link
from webapp.accounts.models import Admin
from webapp.accounts.passwords import hash_password, is_right, needs_new_hash
from webapp.accounts.session import current_admin, end_session, is_local_path, signed_in_admin, start_session
from webapp.accounts.signing_in import (
    add_first_admin,
    change_password,
    find_admin,
    refuse_sign_in,
)
from webapp.accounts.signing_in import sign_in as remember_sign_in
from webapp.accounts.signing_in import sign_out as remember_sign_out
from webapp.accounts.tries import limit_tries
from webapp.database import reading, transaction

WRONG = "The e-mail address or the password is wrong."

bp = Blueprint("accounts", __name__)


@bp.route("/sign-in", methods=["GET", "POST"])
@public
@limit_tries
def sign_in() -> ResponseReturnValue:
    """Sign in with e-mail address and password."""
    if current_admin() is not None:
        return redirect(_way_on(request.args.get("next", "")), HTTPStatus.SEE_OTHER)
    form = SignInForm(data={"next": request.args.get("next", "")})
    if form.validate_on_submit():
        admin = _check_password(form.email.data or "", form.password.data or "")
        if admin is not None:
            start_session(admin)
            return redirect(_way_on(form.next.data or ""), HTTPStatus.SEE_OTHER)
        form.form_errors.append(WRONG)
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.is_submitted() else HTTPStatus.OK
    return render_template("accounts/sign_in.html", form=form), status


@bp.post("/sign-out")
def sign_out() -> ResponseReturnValue:
    """End the admin's sessions, in this browser and in others."""
    with transaction() as session:
        remember_sign_out(session, signed_in_admin().id, datetime.now(UTC))
    end_session()
    flash("You have signed out, in all your browsers.", "success")
    return redirect(url_for("accounts.sign_in"), HTTPStatus.SEE_OTHER)


@bp.route("/sign-in/link/<token>", methods=["GET", "POST"])
@public
@limit_tries
def open_link(token: str) -> ResponseReturnValue:
    """Show what a one-time link does, and do it by POST: programs that preview links must not use it up."""
    with reading() as session:
        link = look_at_link(session, token, datetime.now(UTC))
    if link.admin is None:
        return _make_first_admin(token)
    form = FlaskForm()
    if form.validate_on_submit():
        now = datetime.now(UTC)
        with transaction() as session:
            admin = use_link(session, token, now).admin
            if admin is not None:
                remember_sign_in(session, admin, now, by="link")
        if admin is not None:
            start_session(admin)
        return redirect(url_for("connections.index"), HTTPStatus.SEE_OTHER)
    return render_template("accounts/link.html", form=form, owner=link.admin)


@bp.route("/account", methods=["GET", "POST"])
@limit_tries
def account() -> ResponseReturnValue:
    """Show the admin's own account, and change the password."""
    admin = signed_in_admin()
    form = PasswordForm(admin.email)
    if form.validate_on_submit():
        changed = _changed(admin, form.current_password.data or "", form.new_password.data or "")
        if changed is not None:
            start_session(changed)
            flash("Your password is changed. Other browsers were signed out.", "success")
            return redirect(url_for("accounts.account"), HTTPStatus.SEE_OTHER)
        form.current_password.errors = ["This is not your current password."]
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.is_submitted() else HTTPStatus.OK
    return render_template("accounts/account.html", form=form), status


def _check_password(email: str, password: str) -> Admin | None:
    with reading() as session:
        admin = find_admin(session, email)
    # Hashing is slow on purpose, so no transaction is open meanwhile.
    right = is_right(password, admin.password_hash if admin else None)
    new_hash = hash_password(password) if admin and right and needs_new_hash(admin.password_hash) else None
    now = datetime.now(UTC)
    with transaction() as session:
        admin = session.get(Admin, admin.id) if admin else None
        if admin is None or not right:
            refuse_sign_in(session, admin, now)
            return None
        admin.password_hash = new_hash or admin.password_hash
        remember_sign_in(session, admin, now, by="password")
    return admin


def _changed(admin: Admin, current: str, new: str) -> Admin | None:
    if not is_right(current, admin.password_hash):
        return None
    new_hash = hash_password(new)
    with transaction() as session:
        return change_password(session, admin, new_hash, datetime.now(UTC))


def _make_first_admin(token: str) -> ResponseReturnValue:
    form = FirstAdminForm()
    if not form.validate_on_submit():
        status = HTTPStatus.UNPROCESSABLE_ENTITY if form.is_submitted() else HTTPStatus.OK
        return render_template("accounts/first_admin.html", form=form), status
    now, password_hash = datetime.now(UTC), hash_password(form.password.data or "")
    with transaction() as session:
        use_link(session, token, now)
        name, email = form.name.data or "", form.email.data or ""
        admin = add_first_admin(session, name=name, email=email, password_hash=password_hash, now=now)
        remember_sign_in(session, admin, now, by="link")
    start_session(admin)
    flash(f"Welcome, {admin.name}. From now on you sign in with your e-mail address and password.", "success")
    return redirect(url_for("connections.index"), HTTPStatus.SEE_OTHER)


def _way_on(target: str) -> str:
    return target if is_local_path(target) else url_for("connections.index")
