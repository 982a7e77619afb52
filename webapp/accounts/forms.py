"""Forms of accounts."""

from email_validator import EmailNotValidError, validate_email
from flask_wtf import FlaskForm
from wtforms import EmailField, HiddenField, PasswordField, StringField
from wtforms.validators import InputRequired, Length, ValidationError

from webapp.accounts.passwords import MAX_CHARACTERS, weakness


class SignInForm(FlaskForm):  # type: ignore[misc]
    """E-mail address and password. ``next`` is the path that was asked for."""

    email = EmailField("E-mail", [InputRequired("Enter your e-mail address."), Length(max=254)])
    password = PasswordField("Password", [InputRequired("Enter your password."), Length(max=MAX_CHARACTERS)])
    next = HiddenField()


class FirstAdminForm(FlaskForm):  # type: ignore[misc]
    """Who the first admin is."""

    name = StringField("Your name", [InputRequired("Enter your name."), Length(max=200)])
    email = EmailField("E-mail", [InputRequired("Enter your e-mail address."), Length(max=254)])
    password = PasswordField("Password", [InputRequired("Choose a password.")])

    def validate_email(self, field: EmailField) -> None:
        """Refuse what cannot be an address. Nothing is sent to it, so its domain is not looked up."""
        try:
            validate_email(field.data or "", check_deliverability=False, test_environment=True)
        except EmailNotValidError as error:
            raise ValidationError("This is not an e-mail address.") from error

    def validate_password(self, field: PasswordField) -> None:
        """Refuse weak passwords."""
        if found := weakness(field.data or "", self.email.data or ""):
            raise ValidationError(found)


class PasswordForm(FlaskForm):  # type: ignore[misc]
    """A new password, and the one that it replaces. ``account_email`` is the admin's own."""

    current_password = PasswordField("Current password", [InputRequired("Enter your current password.")])
    new_password = PasswordField("New password", [InputRequired("Choose a new password.")])
    repeated_password = PasswordField("New password again", [InputRequired("Enter the new password once more.")])

    def __init__(self, account_email: str) -> None:
        super().__init__()
        self.account_email = account_email

    def validate_new_password(self, field: PasswordField) -> None:
        """Refuse weak passwords."""
        if found := weakness(field.data or "", self.account_email):
            raise ValidationError(found)

    def validate_repeated_password(self, field: PasswordField) -> None:
        """Refuse a slip of the finger."""
        if field.data != self.new_password.data:
            raise ValidationError("The two new passwords differ.")
