"""A photo where it is named beside something else: its id, and a link to look at it."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field

from silvertalk.api.services import Services
from silvertalk.models import Photo


class PhotoLink(BaseModel):
    """`s3_url` expires after five minutes; null where only the phone has the picture."""

    id: str = Field(examples=["3f0f0c1e-6d0c-4a57-9f5e-0d3c1c0e9a11"])
    local_uri: str | None
    s3_url: str | None
    taken_at: datetime | None
    location_name: str


async def picture(services: Services, photo: Photo) -> str | None:
    """A link to what may be shown of the photo. Raises MediaAway."""
    return await services.media.link(photo.shared_key) if photo.status == "ready" and photo.shared_key else None


async def photo_link(services: Services, photo: Photo) -> PhotoLink:
    return PhotoLink(
        id=photo.id,
        local_uri=photo.local_uri,
        s3_url=await picture(services, photo),
        taken_at=photo.taken_at,
        location_name=photo.location_name,
    )
