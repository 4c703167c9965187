"""Deliveries that are not finished: send what is left, find proofs, close."""

from prefect import flow

from tasks import delivery


@flow(name="reconcile", flow_run_name="reconcile", timeout_seconds=4 * 3600, retries=0)
def reconcile() -> dict[str, str]:
    """Go on with every campaign that is unfinished; paused and held ones wait for a person. Returns their states."""
    campaign_ids = delivery.unfinished_campaigns()
    for campaign_id in campaign_ids:
        delivery.send_chunks(campaign_id)
        delivery.settle(campaign_id)
    return delivery.settled(campaign_ids)
