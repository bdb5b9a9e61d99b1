# In place of Debian's file of this name, which adds folders to PATH in login shells only:
# here every session has the same.
