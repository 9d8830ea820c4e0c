"""Look-ahead and warm-up checks of a strategy on a history: does it, or what feeds it, know what it could not have known?"""
