"""The original pairs: audio_sheet_music.npz, as released with the paper."""
def load(dataset_file, profile, seed):
    raise NotImplementedError
