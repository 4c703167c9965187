"""The AquaScene content engine: one package per stage of the line, and the adapters, web and cli around them.

Code here imports no Prefect; `flows`, `tasks`, `blocks` and `deployments` beside it do.
"""
