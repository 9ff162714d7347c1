"""Scene detection: where the picture is cut, by PySceneDetect."""
