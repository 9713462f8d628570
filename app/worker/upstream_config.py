"""ServiceTitan as the settings say."""

from app.servicetitan.config import UpstreamConfig
from app.setting_types import Mode
from app.settings import Settings


def upstream_config(settings: Settings) -> UpstreamConfig:
    """What the client is told."""
    return UpstreamConfig(
        api_url=str(settings.servicetitan_api_url),
        auth_url=settings.token_url,
        client_id=settings.servicetitan_client_id,
        client_secret=settings.servicetitan_api_key.get_secret_value(),
        app_key=settings.servicetitan_app_key.get_secret_value(),
        tenant_id=settings.servicetitan_tenant_id,
        application_guid=str(settings.servicetitan_application_guid),
        calls_per_second=settings.servicetitan_calls_per_second,
        calls_in_flight=settings.max_calls_in_flight,
        timeout_seconds=settings.servicetitan_timeout_seconds,
        business=settings.business,
        guess_names=settings.mode is Mode.SIMULATION,
    )
