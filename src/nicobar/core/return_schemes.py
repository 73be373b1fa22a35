"""Which schemes an address may have that customers are led back to."""

from typing import Final

_UNSAFE: Final = frozenset(
    {
        # They run in the customer's browser, or read from it or its computer.
        *("javascript", "data", "vbscript", "file", "filesystem", "blob", "about", "view-source", "resource", "jar"),
        *("chrome", "chrome-extension", "chrome-search", "chrome-untrusted", "devtools", "edge", "moz-extension"),
        *("safari-extension", "safari-web-extension", "ms-browser-extension", "res", "mhtml", "mk", "its", "ms-its"),
        *("livescript", "mocha"),
        # They wrap another address, or start a program with words of the merchant's.
        *("feed", "feeds", "pcast", "intent", "android-app", "ios-app", "content", "wyciwyg", "jdbc", "search-ms"),
        *("search", "ms-search", "itms-services", "microsoft-edge", "applescript", "help", "x-apple.systempreferences"),
        *("ms-access", "ms-infopath", "ms-project", "ms-publisher", "ms-spd", "ms-visio", "onenote"),
        *("ms-appinstaller", "ms-msdt", "ms-cxh", "ms-cxh-full", "ms-settings", "ms-word", "ms-excel", "ms-powerpoint"),
        *("ms-officecmd", "shell", "hcp", "ldap", "smb", "nfs", "afp", "ssh", "telnet", "rlogin", "vnc", "rdp"),
        # They begin something else than a way back.
        *("mailto", "tel", "sms", "smsto", "mms", "facetime", "facetime-audio", "callto", "ftp", "ftps", "sftp", "cid"),
        *("ws", "wss", "magnet", "irc", "ircs", "news", "nntp", "gopher", "mid", "urn", "tag"),
    }
)


def may_return_to(scheme: str) -> bool:
    """Return whether customers may be sent to an address of this scheme: the web, or an app's own.

    `scheme` is in lower case; an empty one is none.
    """
    return bool(scheme) and scheme not in _UNSAFE
