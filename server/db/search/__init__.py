"""One index over all texts, and near matches of names."""
