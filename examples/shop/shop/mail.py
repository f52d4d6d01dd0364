"""Mail."""

from __future__ import annotations

import smtplib
from email.message import EmailMessage

from flask import current_app


def send(to: str, subject: str) -> None:
    """Send a mail.

    Raises:
        OSError: the server cannot be reached, or does not take it (``smtplib.SMTPException``).
    """
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "shop@example.org", to, subject
    with smtplib.SMTP(current_app.config["MAIL_SERVER"]) as server:
        server.send_message(message)
