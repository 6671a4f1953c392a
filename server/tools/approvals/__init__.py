"""How a human's word is asked for, given, and looked for, whatever tool a call is of."""
