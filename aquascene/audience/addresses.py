"""Mail addresses: syntax and comparison only; nothing here asks the DNS."""

from email_validator import EmailNotValidError, validate_email

from aquascene.audience.model import Address

_LONGEST = 254  # RFC 5321, section 4.5.3.1


def parse(raw: str) -> Address | None:
    """Read one address; None when it is none. International domains become their ASCII form.

    Addresses are compared in lower case: RFC 5321 lets a host tell cases apart, no mailbox provider does.
    Non-ASCII local parts are refused, since SendGrid takes none.
    """
    candidate = raw.strip()
    if not 3 <= len(candidate) <= _LONGEST:
        return None
    try:
        found = validate_email(candidate, check_deliverability=False, allow_smtputf8=False)
    except EmailNotValidError:
        return None
    email = found.ascii_email or found.normalized
    return Address(email=email, normalised=email.lower())


def masked(email: str) -> str:
    """Show an address so that its owner knows it and nobody else does: a…@example.com."""
    local, _, domain = email.partition("@")
    return f"{local[:1]}…@{domain}"
