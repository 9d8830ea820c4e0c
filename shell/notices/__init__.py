"""Messages for people: what there is to tell, how loud, and what to do about it."""
