; The set of Mandelbrot, in letters. Every number on the way is an object of the heap.

(define width 60)
(define height 24)
(define limit 40)

(define (steps x y)
  (let loop ((a 0.0) (b 0.0) (n 0))
    (if (or (= n limit) (> (+ (* a a) (* b b)) 4.0))
      n
      (loop (+ (- (* a a) (* b b)) x) (+ (* 2.0 a b) y) (+ n 1)))))

(define shades " .:-=+*#%@")

(do-times (row height)
  (do-times (column width)
    (let* ((x (- (/ (* 3.0 column) width) 2.2))
           (y (- (/ (* 2.4 row) height) 1.2))
           (n (steps x y)))
      (write-byte (string-ref shades (quotient (* 9 n) limit)))))
  (newline))
