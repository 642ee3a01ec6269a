"""Looking at a recording in 3D: Qt-free playback, camera and scene; OpenGL and painter views of the same scene."""
