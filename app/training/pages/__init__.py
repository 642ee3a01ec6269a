"""The pages of the wizard: each shows a part of the draft and writes it back."""
