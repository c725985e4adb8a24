"""How good poses are: OKS, average precision, scores of single pictures. No torch, ray or cv2."""
