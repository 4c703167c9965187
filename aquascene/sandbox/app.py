"""One HTTP server for all stand-ins: language models at /openai and /anthropic, mail at /sendgrid, the inbox at /inbox."""

from fastapi import FastAPI
from fastapi.responses import PlainTextResponse

from aquascene.sandbox import inbox, llm, sendgrid


def create_app() -> FastAPI:
    """Build the sandbox; it keeps what it accepted in a file, so that a restart forgets nothing."""
    app = FastAPI(title="AquaScene sandbox", docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(llm.openai_router, prefix="/openai")
    app.include_router(llm.anthropic_router, prefix="/anthropic")
    app.include_router(sendgrid.router, prefix="/sendgrid")
    app.include_router(inbox.router, prefix="/inbox")
    app.add_api_route("/livez", lambda: PlainTextResponse("ok"), methods=["GET"])
    return app
