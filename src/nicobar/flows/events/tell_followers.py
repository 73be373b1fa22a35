"""Notify all followers of a move, in the transaction that makes it."""

from nicobar.core.events.moves import FollowedMove
from nicobar.flows.runtime import Runtime
from nicobar.storage.database import Tx


async def tell_followers(runtime: Runtime, tx: Tx, move: FollowedMove) -> None:
    """Let each follower whom the payment concerns do its part, in their order. What one raises ends the transaction."""
    for follower in runtime.followers:
        if follower.concerns(move.payment):
            await follower.follow(runtime, tx, move)
