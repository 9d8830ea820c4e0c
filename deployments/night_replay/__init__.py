"""Running a recorded night again: from the record alone, without a word to anybody outside and without writing anything."""
