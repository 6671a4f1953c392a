"""What agents found out: context items, research files, knowledge, small facts."""
