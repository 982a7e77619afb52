"""`websync worker` with chunks of few users, so that a short import has many; each is written as a large one is.

As a process: ``python -m tests.importer.small_chunks``, with the settings in the environment.
"""

from webapp.cli import main
from webapp.importer import applying, chunks

USERS_OF_A_CHUNK = 20

if __name__ == "__main__":
    chunks.MAX_CHUNK_USERS = USERS_OF_A_CHUNK
    applying.FEW_USERS = USERS_OF_A_CHUNK // 2
    main(["worker"])
