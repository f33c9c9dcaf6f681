"""`python -m headrace.replica SOCKET_FD PAGE_FD ARENA_FD PARENT_PID`: what a worker starts."""

import sys

from headrace.replica.parent import die_with_parent

if __name__ == "__main__":
    socket_fd, page_fd, arena_fd, parent = map(int, sys.argv[1:5])
    die_with_parent(parent)
    from headrace.replica.main import main

    sys.exit(main(socket_fd, page_fd, arena_fd))
