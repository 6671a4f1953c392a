"""The commands of older stores, exports, the mirror and the search index."""
