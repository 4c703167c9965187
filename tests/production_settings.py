"""One valid configuration of production, as variables: tests break one thing of it at a time."""

PRODUCTION = {
    "ENVIRONMENT": "production",
    "DATABASE_URL": "postgresql://aquascene:pw@pooler.aquascene.svc/aquascene",
    "JWT_SECRET": "4z6zEgmAtK1oiABtNmHhSuFDEfexYktX7xgn9ZHZP9wzri97um/kwt/OBeuRMvNh",
    "REDIS_URL": "redis://:pw@redis.aquascene.svc:6379/0",
    "OBJECT_STORE_URL": "s3+https://objects.aquaplants.org/content?region=eu",
    "PREFECT_API_AUTH_STRING": "aquascene:pw",
    "SENDGRID_API_KEY": "SG.key",
    "SENDGRID_WEBHOOK_PUBLIC_KEY": "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE",
    "IMAGE": "registry.aquaplants.org/aquascene@sha256:" + "0a" * 32,
    "WEB__PUBLIC_URL": "https://desk.aquaplants.org",
    "PUBLISHING__SITE_URL": "https://aquaplants.org",
    "NEWSLETTER__FROM_EMAIL": "newsletter@aquaplants.org",
    "NEWSLETTER__POSTAL_ADDRESS": "Aquaplants, Uferweg 1, 10115 Berlin",
    "FETCH__USER_AGENT": "AquaplantsBot/1.0 (+https://aquaplants.org/bot)",
}
