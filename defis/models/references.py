"""Short public references: random, unambiguous when read aloud, without sequence."""

import secrets

# No 0/O, 1/I/L: people dictate these on the phone.
ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"


def new_reference() -> str:
    """Ten characters of 31: 49 bits, unique enough to be guessed by nobody."""
    return "".join(secrets.choice(ALPHABET) for _ in range(10))
