; How many ways there are to put n queens on a board of n by n, so that none can take another.

(define (safe? row distance placed)
  (or (null? placed)
      (and (not (= row (car placed)))
           (not (= (abs (- row (car placed))) distance))
           (safe? row (+ distance 1) (cdr placed)))))

(define (queens n)
  (define (place column placed)
    (if (= column n)
      1
      (fold (lambda (ways row)
              (if (safe? row 1 placed) (+ ways (place (+ column 1) (cons row placed))) ways))
            0 (iota n))))
  (place 0 '()))

(for-each (lambda (n) (print n " queens: " (queens n))) '(1 2 3 4 5 6 7))
