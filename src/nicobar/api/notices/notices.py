"""Where processors tell what has happened. They have no API key: a notice proves itself by its signature."""

from typing import Final, cast, get_args

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from nicobar.api.routing import read_body
from nicobar.core.business.tenant import Mode, Tenant
from nicobar.core.ids import is_object_id
from nicobar.core.problems import Problem
from nicobar.flows.business_time.recall_clocks import recall_clocks
from nicobar.flows.notices.receive_notice import receive_notice
from nicobar.flows.runtime import Runtime
from nicobar.storage.business.businesses import business_exists

PATH: Final = "/processors/{processor}/notices/{business_id}/{mode}"
"""The path of a processor's notices; `core/accounts/processor_account.py:notice_path` fills it in."""


def notice_routes(runtime: Runtime) -> list[Route]:
    """Return the route of the notices."""

    async def endpoint(request: Request) -> Response:
        """Take a notice: 200 says that it is stored, or has been before, or is about nothing of ours.

        A body is read up to the same size as every other one, and as it is: the signature is over its bytes. Raises
        Problem NOT_FOUND for an account that does not exist, UNAUTHORIZED for a signature that is not its
        processor's, and INVALID_REQUEST_BODY for a body that is too large.
        """
        processor, business_id, mode = (request.path_params[name] for name in ("processor", "business_id", "mode"))
        known = mode in get_args(Mode) and is_object_id(business_id, "bus")
        if known:
            async with runtime.database.read() as read:
                known = await business_exists(read, business_id)
        if not known:
            raise Problem("NOT_FOUND", what="Processor")  # before anything is read of what a stranger sends
        if mode == "test":
            await recall_clocks(runtime, business_id)
        body = await read_body(request)
        await receive_notice(runtime, Tenant(business_id, cast(Mode, mode)), processor, request.headers, body)
        return Response(b"{}", media_type="application/json")

    return [Route(PATH, endpoint, methods=["POST"])]
