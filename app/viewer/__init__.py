"""A recording in 3D: playback, camera and scene without Qt, and two views of the scene, OpenGL and painter."""
