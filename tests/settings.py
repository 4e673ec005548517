"""The site's own settings, in simulation, with everything that leaves the process kept in memory."""

import os

for name, value in {
    "DEBUG": "0",
    "ABONDE_SIMULATION": "1",
    "LOG_LEVEL": "WARNING",
    "EMAIL_URL": "memorymail://",
    "CACHE_URL": "locmemcache://abonde-tests",
    "ABONDE_STATIC_PLAIN": "1",
    "CONN_MAX_AGE": "0",
}.items():
    os.environ.setdefault(name, value)

from config.settings import *  # noqa: E402, F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
AXES_ENABLED = False
