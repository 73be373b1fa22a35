"""What `nicobar doctor` says about the clock of test mode."""

from datetime import datetime, timedelta

from nicobar.program.banner import command
from nicobar.program.configuration import Configuration
from nicobar.program.finding import Finding
from nicobar.storage.business.businesses import first_business
from nicobar.storage.database import Read
from nicobar.storage.test_clocks import get_clock
from nicobar.storage.test_mode.due_moments import clock_held


async def check_test_clock(configuration: Configuration, read: Read, real: datetime) -> Finding:
    """Nobody waits for things to happen in a test mode whose clock stands. The schema is the newest."""
    business_id = await first_business(read)
    if business_id is None:
        return Finding(None, "There is no test mode, so it has no clock.")
    clock = await get_clock(read, business_id)
    now = clock.moment(real)
    if clock.moving_to is not None:
        async with clock_held(read, business_id) as is_idle:
            pass
        target = f"{clock.moving_to:%Y-%m-%d %H:%M:%S} UTC"
        if not is_idle:
            return Finding(True, f"The clock of test mode is being moved to {target}.")
        sentence = f"The clock of test mode stands at {now:%Y-%m-%d %H:%M:%S} UTC: its move to {target} was broken off."
        return Finding(None, sentence, f"Go on with: {command(configuration, 'clock advance 1d')}", warns=True)
    if now == real:
        return Finding(True, "Test mode goes by real time.")
    days = round((now - real) / timedelta(days=1), 1)
    return Finding(
        True, f"Test mode is {days:g} {'day' if days == 1 else 'days'} ahead. Overdue work is looked for by real time."
    )
