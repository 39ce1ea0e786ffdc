"""The reference model of editing: random operations on a mount and on a plain folder, side by side.

- `side`        one of the two folders: performs an operation, keeps open handles
- `generator`   makes up operations that fit the tree as it is
- `comparison`  what must be equal, and the few things that need not be
- `journal`     what must be true of a workspace whose daemon has ended
- `lane`        one directory, edited step by step on both sides
- `world`       the mount and the folder, with remounts and kills between the steps
- `shared`      what of a folder belongs at the Hub
- `hub_side`    the branch as git has it, and what others commit
- `publishing`  what commits, pulls and discarded edits must make of both sides
- `committing_world`  a world with all that, beside kills, and automatic commits
- `shrinking`   makes a failing list of operations shorter
- `soak`        the command line, for `scripts/soak`

An operation is a dictionary of plain values, so that a run is a list of JSON lines that can be
replayed, with or without some of its lines.
"""
