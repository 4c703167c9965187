"""Mail providers behind the mailer port."""
