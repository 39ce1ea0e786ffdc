"""Power cuts: a mount whose state folder lies on a disk that loses what was not synced.

- `machine`  the disk (Sources/powercut), and the machine's runs from one boot to the next
- `allowed`  what a mount may show after a cut: the promise of docs/SEMANTICS.md
- `script`   makes up operations and performs them on the mount and on what is allowed
- `rounds`   script, cut, recovery, comparison, commit; also a command line

A round runs in a mount namespace of its own, because the machine has boot ids of its own.
"""
