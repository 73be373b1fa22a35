"""Ask a processor, outside of any transaction: the one place that waits for an answer of a plug-in."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import structlog

from nicobar.core.payments.payment import Unknown
from nicobar.processors.base import Processor
from nicobar.processors.open_calls import open_call

_log = structlog.get_logger(__name__)

ANSWER_TIMEOUT: Final = 10.0
"""Seconds that a processor may take to answer a question; a charge has a limit of its own."""

AnswerT = TypeVar("AnswerT")
ProcessorT = TypeVar("ProcessorT", bound=Processor)


async def ask_processor(
    processor: ProcessorT,
    question: Callable[[ProcessorT], Awaitable[AnswerT]],
    seconds: float,
    doubt: str,
    **about: str,
) -> AnswerT | Unknown:
    """Return the processor's answer to `question`. Whatever goes wrong, and after `seconds`, nobody knows it: Unknown.

    A plug-in may raise anything, and its words may quote a card or a customer. So the log line `doubt`, which says
    what it was `about`, names the kind of the exception and nothing more, and so does the Unknown.
    """
    try:
        with open_call():
            async with asyncio.timeout(seconds):
                return await question(processor)
    except Exception as error:  # noqa: BLE001 - a plug-in may raise anything
        why = type(error).__name__
        _log.warning(doubt, processor=processor.name, why=why, **about)
        return Unknown(why)
