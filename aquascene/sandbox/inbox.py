"""Pages over what the stand-in for SendGrid accepted."""

from fastapi import APIRouter

router = APIRouter()
