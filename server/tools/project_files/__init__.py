"""Files of a project, for every tool that touches them: where they are, which are guarded, how a change is stored."""
