"""Who asks: the name under which somebody logged in, which stays the same through sudo."""

import os
import pwd


def account_name() -> str:
    try:
        return os.getlogin()
    except OSError:  # no terminal and no session, as in a container
        pass
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"user {os.getuid()}"
