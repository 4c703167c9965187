"""Mail providers behind the port `delivery.ports.Mailer`: sendgrid, and none for an installation without one."""
