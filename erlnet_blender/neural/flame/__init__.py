"""The FLAME head model: blend shapes, pose correctives, joints, linear blend skinning."""
