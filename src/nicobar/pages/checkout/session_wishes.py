"""How the session that a payment was made of wants its pages: their look and their language."""

from nicobar.pages.checkout.visit import Visit
from nicobar.pages.frame.rendering import Look, Renderer
from nicobar.pages.session.look import look_of
from nicobar.pages.texts.language import LanguageView, TypedForm, language_view


def wished_look(renderer: Renderer, visit: Visit) -> Look | None:
    """Return the look; None for a payment of no session."""
    session_id = visit.payment.options.checkout_session_id
    return None if visit.session is None else look_of(renderer, session_id, visit.session)


def offered_languages(
    renderer: Renderer, visit: Visit, path: str, typed: TypedForm | None = None
) -> LanguageView | None:
    """Return the selector of languages for the page at this path; None where the session forces one."""
    if visit.session is not None and visit.session.customization.force_language is not None:
        return None
    return language_view(renderer.path(path), visit.reader, typed)
