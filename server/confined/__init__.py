"""Files in a workspace's folder: reached without leaving it, and changed at one stroke."""
