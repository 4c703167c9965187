"""A stand-in for SendGrid's v3 API: takes mail, keeps it before it answers, and emits signed events."""

from fastapi import APIRouter

router = APIRouter()
