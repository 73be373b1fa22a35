"""How a seller wants the pages to look: those of a session and those of its payment."""

from nicobar.core.sessions.checkout_session import SessionRequest
from nicobar.pages.frame.embedding import Frame
from nicobar.pages.frame.rendering import Look, Renderer
from nicobar.pages.session.theme_sheet import theme_sheet


def look_of(renderer: Renderer, session_id: str | None, request: SessionRequest) -> Look:
    """Return the look of a session's pages."""
    custom = request.customization
    config = custom.theme_config
    has_sheet = session_id is not None and theme_sheet(custom) != ""
    return Look(
        theme=None if custom.theme in (None, "system") else custom.theme,
        sheet=renderer.path(f"/session/{session_id}/theme.css") if has_sheet else None,
        pay_button_text=None if config is None else (config.pay_button_text or "").strip() or None,
    )


def own_words(look: Look | None, frame: Frame | None) -> str | None:
    """Return the seller's own text for the button that pays: that of the frame's page, or else that of the session."""
    framed = None if frame is None else frame.pay_button_text
    return framed or (None if look is None else look.pay_button_text)
