"""What a person sees of the store: where things stand, what there is, what happens, and the mail."""
